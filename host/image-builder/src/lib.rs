//! Builds root images from programs, folders and archives.
