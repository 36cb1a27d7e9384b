import CoreImage
import Foundation
import ImageIO

/// Stylises photographs, one after the other and off the main thread.
actor PhotoStylizer {
    private var loaded: Stylizer?

    /// `data` is a file's: JPEG, HEIC, PNG or what else ImageIO reads.
    func stylize(_ data: Data) throws -> Stylized {
        let stylizer = try loaded ?? Stylizer()
        loaded = stylizer
        return try stylizer.stylize(CIImage(cgImage: upright(data)))
    }

    /// As it is meant to be seen, and no larger than is of use: 48 megapixels are never in memory.
    private func upright(_ data: Data) throws -> CGImage {
        let options: [CFString: Any] = [
            kCGImageSourceCreateThumbnailFromImageAlways: true,
            kCGImageSourceCreateThumbnailWithTransform: true,
            kCGImageSourceThumbnailMaxPixelSize: 1024,
        ]
        guard let source = CGImageSourceCreateWithData(data as CFData, nil),
            let photo = CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
        else { throw StylizeError.noPicture }
        return photo
    }
}
