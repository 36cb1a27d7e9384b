package sttk.sample

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer

/** Android's packed pixels and the net's planes; no class of Android's, so any JVM can test it. */
object Pixels {
    /** All red values, then all green, then all blue: 0 to 255, the net scales them itself. */
    fun toPlanes(pixels: IntArray): FloatBuffer {
        // Direct memory, which ONNX Runtime reads without a copy.
        val planes = ByteBuffer.allocateDirect(3 * pixels.size * Float.SIZE_BYTES)
            .order(ByteOrder.nativeOrder())
            .asFloatBuffer()
        for (shift in intArrayOf(16, 8, 0)) {
            for (pixel in pixels) planes.put((pixel shr shift and 0xFF).toFloat())
        }
        planes.rewind()
        return planes
    }

    /** The upper left `width` x `height` of planes that may be wider and higher, opaque. */
    fun fromPlanes(planes: FloatBuffer, wide: Int, high: Int, width: Int, height: Int): IntArray {
        fun byte(plane: Int, at: Int): Int =
            Math.round(planes.get(plane * wide * high + at)).coerceIn(0, 255)
        return IntArray(width * height) { pixel ->
            val at = pixel / width * wide + pixel % width
            (0xFF shl 24) or (byte(0, at) shl 16) or (byte(1, at) shl 8) or byte(2, at)
        }
    }
}
