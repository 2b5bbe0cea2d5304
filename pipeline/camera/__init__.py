"""Where frames come from: GenICam cameras, folders of images, video files and a synthetic camera."""
