import PhotosUI
import SwiftUI

@main
struct StylizeApp: App {
    var body: some Scene {
        WindowGroup { ContentView() }
    }
}

struct ContentView: View {
    private enum Source: Equatable {
        case photo(PhotosPickerItem)
        case camera
    }

    @State private var picked: PhotosPickerItem?
    @State private var source: Source?
    @State private var stylized: Stylized?
    @State private var message = ""
    @State private var stylizer = PhotoStylizer()

    var body: some View {
        VStack {
            if let stylized {
                Image(uiImage: stylized.image).resizable().scaledToFit()
            }
            Text(message).monospacedDigit()
            HStack {
                PhotosPicker("Pick a photo", selection: $picked, matching: .images)
                Button("Camera") { source = .camera }
            }
            .buttonStyle(.bordered)
        }
        .onChange(of: picked) {
            if let picked { source = .photo(picked) }
        }
        // A new source cancels the last one's task.
        .task(id: source) { await run() }
    }

    private func run() async {
        do {
            switch source {
            case .photo(let item):
                guard let data = try await item.loadTransferable(type: Data.self) else {
                    throw StylizeError.noPicture
                }
                show(try await stylizer.stylize(data))
            case .camera:
                let camera = Camera()
                defer { camera.stop() }
                try await camera.start()
                for await frame in camera.frames { show(frame) }
            case nil:
                break
            }
        } catch {
            if !Task.isCancelled { message = error.localizedDescription }
        }
    }

    private func show(_ result: Stylized) {
        if Task.isCancelled { return }
        stylized = result
        message = String(format: "%.1f ms", result.milliseconds)
    }
}
