plugins {
    id("com.android.application")
}

android {
    namespace = "sttk.sample"
    compileSdk = 36

    defaultConfig {
        applicationId = "sttk.sample"
        minSdk = 28 // ImageDecoder, which turns photographs upright
        targetSdk = 36
        versionCode = 1
        versionName = "1.0"
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") } // ONNX Runtime is 20 MB for each
    }
}

dependencies {
    implementation("androidx.activity:activity-ktx:1.11.0")
    implementation("androidx.lifecycle:lifecycle-runtime-ktx:2.9.4")
    implementation("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.10.2")
    implementation("com.microsoft.onnxruntime:onnxruntime-android:1.24.3")
}
