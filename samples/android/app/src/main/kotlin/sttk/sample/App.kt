package sttk.sample

import android.app.Application

/** Holds the one session: activities come and go when the phone is turned. */
class App : Application() {
    val stylizer by lazy { Stylizer(assets) }
}
