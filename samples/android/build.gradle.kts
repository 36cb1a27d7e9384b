plugins {
    // From 9.0 on it brings Kotlin with it; it wants Gradle 9.4.1 and Java 17.
    id("com.android.application") version "9.2.0" apply false
}
