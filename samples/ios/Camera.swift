import AVFoundation
import CoreImage

/// The camera's frames, stylised. Frames that come while one is being stylised are dropped, so the
/// picture is late by one frame and never by more. Make a new one for each time that it is shown.
///
/// Unchecked, for the compiler cannot see it: what is not Sendable is touched on `queue` alone.
nonisolated final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate,
    @unchecked Sendable
{
    let frames: AsyncStream<Stylized>
    private let shown: AsyncStream<Stylized>.Continuation
    private let queue = DispatchQueue(label: "camera")
    private let session = AVCaptureSession()
    private var stylizer: Stylizer?

    override init() {
        let made = AsyncStream.makeStream(of: Stylized.self, bufferingPolicy: .bufferingNewest(1))
        frames = made.stream
        shown = made.continuation
        super.init()
    }

    func start() async throws {
        guard await AVCaptureDevice.requestAccess(for: .video) else { throw StylizeError.noCamera }
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            queue.async { done.resume(with: Result { try self.open() }) }
        }
    }

    func stop() {
        queue.async { self.session.stopRunning() }
    }

    private func open() throws {
        stylizer = try Stylizer()
        guard let device = AVCaptureDevice.default(for: .video) else { throw StylizeError.noCamera }
        let input = try AVCaptureDeviceInput(device: device)
        let output = AVCaptureVideoDataOutput()
        // The delegate is called on `queue`, which the net keeps busy: these are the drops.
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(self, queue: queue)
        session.sessionPreset = .vga640x480
        guard session.canAddInput(input), session.canAddOutput(output) else {
            throw StylizeError.noCamera
        }
        session.addInput(input)
        session.addOutput(output)
        let upright: CGFloat = 90  // degrees, of a phone that is held so
        if let connection = output.connection(with: .video),
            connection.isVideoRotationAngleSupported(upright)
        {
            connection.videoRotationAngle = upright
        }
        session.startRunning()
    }

    func captureOutput(
        _ output: AVCaptureOutput, didOutput sample: CMSampleBuffer,
        from connection: AVCaptureConnection
    ) {
        guard let buffer = CMSampleBufferGetImageBuffer(sample),
            let stylized = try? stylizer?.stylize(CIImage(cvPixelBuffer: buffer))
        else { return }
        shown.yield(stylized)
    }
}
