"""What the build and deliver stages need to know of images: inputs, relevant files, pods that run an older image."""
