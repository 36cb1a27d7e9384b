import CoreImage
import CoreML
import UIKit
import Vision

// `nonisolated`, for new projects of Xcode's put on the main actor what does not say otherwise.

/// A stylised picture, and how long Vision and the net took for it.
nonisolated struct Stylized: Sendable {
    let image: UIImage
    let milliseconds: Double
}

nonisolated enum StylizeError: LocalizedError {
    case noModel, noPicture, noCamera

    var errorDescription: String? {
        switch self {
        case .noModel: "model.mlpackage is not in the app"
        case .noPicture: "This is no picture"
        case .noCamera: "There is no camera, or no leave to use it"
        }
    }
}

/// A Core ML package that sttk exported with `--target coreml`. Keep one: loading takes much longer
/// than running.
///
/// It asks through VNCoreMLRequest, not through the newer CoreMLRequest: that one wants iOS 18.
/// A request holds its last results, so whoever makes a Stylizer keeps it to itself: it is not
/// Sendable.
nonisolated final class Stylizer {
    private let request: VNCoreMLRequest
    private let context = CIContext()

    init() throws {
        // Xcode compiles model.mlpackage to this.
        guard let url = Bundle.main.url(forResource: "model", withExtension: "mlmodelc") else {
            throw StylizeError.noModel
        }
        let model = try MLModel(contentsOf: url, configuration: MLModelConfiguration())
        request = VNCoreMLRequest(model: try VNCoreMLModel(for: model))
        // The whole photo, stretched to the model's size; stylize() stretches it back.
        request.imageCropAndScaleOption = .scaleFill
    }

    func stylize(_ photo: CIImage) throws -> Stylized {
        let duration = try ContinuousClock().measure {
            try VNImageRequestHandler(ciImage: photo, options: [:]).perform([request])
        }
        guard let result = request.results?.first as? VNPixelBufferObservation else {
            throw StylizeError.noPicture
        }
        let small = CIImage(cvPixelBuffer: result.pixelBuffer)
        let image = small.transformed(by: CGAffineTransform(
            scaleX: photo.extent.width / small.extent.width,
            y: photo.extent.height / small.extent.height))
        guard let picture = context.createCGImage(image, from: image.extent.integral) else {
            throw StylizeError.noPicture
        }
        return Stylized(
            image: UIImage(cgImage: picture), milliseconds: duration / .milliseconds(1))
    }
}
