package sttk.sample

import android.graphics.Bitmap
import android.graphics.ImageDecoder
import android.net.Uri
import android.os.Bundle
import android.widget.Button
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.LinearLayout.LayoutParams
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.lifecycle.lifecycleScope
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** A button, a picture, a line of text: pick a photo, see it stylised. */
class MainActivity : ComponentActivity() {
    private lateinit var picture: ImageView
    private lateinit var status: TextView
    private var job: Job? = null

    // The system's picker: it needs no permission.
    private val picker = registerForActivityResult(PickVisualMedia()) { uri ->
        if (uri != null) stylize(uri)
    }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        picture = ImageView(this)
        status = TextView(this)
        val button = Button(this).apply {
            text = "Pick a photo"
            setOnClickListener { picker.launch(PickVisualMediaRequest(PickVisualMedia.ImageOnly)) }
        }
        val column = LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            fitsSystemWindows = true // else the status bar lies over the button
            addView(button)
            addView(status)
            addView(picture, LayoutParams(LayoutParams.MATCH_PARENT, 0, 1f)) // what is left
        }
        setContentView(column)
    }

    private fun stylize(uri: Uri) {
        job?.cancel() // the last photo that was picked counts
        status.text = "…"
        job = lifecycleScope.launch {
            try {
                val result = withContext(Dispatchers.Default) {
                    (application as App).stylizer.stylize(decode(uri))
                }
                picture.setImageBitmap(result.picture)
                status.text = "net: %.1f ms".format(result.milliseconds)
            } catch (error: CancellationException) {
                throw error
            } catch (error: Exception) { // no picture, no model, out of memory in native code
                status.text = error.message ?: error.javaClass.simpleName
            }
        }
    }

    /** Upright, not much larger than the net needs, in memory that getPixels can read. */
    private fun decode(uri: Uri): Bitmap {
        val source = ImageDecoder.createSource(contentResolver, uri)
        return ImageDecoder.decodeBitmap(source) { decoder, info, _ ->
            decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
            val longest = maxOf(info.size.width, info.size.height)
            decoder.setTargetSampleSize(maxOf(1, longest / LONGEST))
        }
    }

    private companion object {
        const val LONGEST = 1024
    }
}
