"""From a camera's settings to the class that drives it, imported only when asked for."""

import importlib

from pipeline.camera.source import Camera
from pipeline.camera_settings import CameraSettings
from pipeline.errors import CameraError

_CAMERAS = {
    "genicam": "pipeline.camera.genicam.camera:GenicamCamera",
    "folder": "pipeline.camera.folder:FolderCamera",
    "video": "pipeline.camera.video:VideoCamera",
    "synthetic": "pipeline.camera.synthetic:SyntheticCamera",
    "http": "pipeline.camera.http:HttpCamera",
}


def open_camera(settings: CameraSettings) -> Camera:
    """The camera that `settings` describe, not connected yet.

    Raises:
        CameraError: the packages that this type of camera needs are not installed.
    """
    tag = str(settings.__struct_config__.tag)
    module_name, _, class_name = _CAMERAS[tag].partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as problem:
        raise CameraError(f"needs a package that is not installed ({problem})", where=f"camera type {tag}") from None
    camera: Camera = getattr(module, class_name)(settings)
    return camera
