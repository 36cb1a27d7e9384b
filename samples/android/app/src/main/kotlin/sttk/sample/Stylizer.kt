package sttk.sample

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import android.content.res.AssetManager
import android.graphics.Bitmap
import kotlin.math.roundToInt

/** A style net in the app's assets. Keep one: making a session takes longer than running it. */
class Stylizer(assets: AssetManager) {
    private val environment = OrtEnvironment.getEnvironment()
    private val session: OrtSession =
        environment.createSession(assets.open(MODEL).use { it.readBytes() })

    class Result(val picture: Bitmap, val milliseconds: Double)

    /** A picture with the photo's proportions: the net's own size is stretched back to them. */
    fun stylize(photo: Bitmap): Result {
        val image = Bitmap.createScaledBitmap(photo, WIDTH, HEIGHT, true)
        val pixels = IntArray(WIDTH * HEIGHT)
        image.getPixels(pixels, 0, WIDTH, 0, 0, WIDTH, HEIGHT)
        val shape = longArrayOf(1, 3, HEIGHT.toLong(), WIDTH.toLong())
        OnnxTensor.createTensor(environment, Pixels.toPlanes(pixels), shape).use { tensor ->
            val start = System.nanoTime()
            session.run(mapOf(INPUT to tensor)).use { outputs ->
                val milliseconds = (System.nanoTime() - start) / 1e6
                val stylized = outputs.get(OUTPUT).get() as OnnxTensor
                return Result(toBitmap(stylized, photo), milliseconds)
            }
        }
    }

    private fun toBitmap(stylized: OnnxTensor, photo: Bitmap): Bitmap {
        val (high, wide) = stylized.info.shape.takeLast(2).map { it.toInt() }
        val colors = Pixels.fromPlanes(stylized.floatBuffer, wide, high, WIDTH, HEIGHT)
        val square = Bitmap.createBitmap(colors, WIDTH, HEIGHT, Bitmap.Config.ARGB_8888)
        val scale = maxOf(WIDTH, HEIGHT).toDouble() / maxOf(photo.width, photo.height)
        val width = maxOf(1, (photo.width * scale).roundToInt())
        val height = maxOf(1, (photo.height * scale).roundToInt())
        return Bitmap.createScaledBitmap(square, width, height, true)
    }

    private companion object {
        // What `sttk export STYLE --target onnx --size 512` makes.
        const val MODEL = "model.onnx"
        const val INPUT = "image"
        const val OUTPUT = "stylized"
        const val WIDTH = 512
        const val HEIGHT = 512
    }
}
