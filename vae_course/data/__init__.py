"""Pictures to learn from: `load_images`, and the drawn sets that it can make."""

from vae_course.data.drawn.digits import as_numbers, draw_digits, plain_factors, render_digits
from vae_course.data.drawn.faces import draw_faces, render_faces
from vae_course.data.loading import ImageSet, load_images
from vae_course.data.stored.files import DamagedFileError, DataNotFoundError

__all__ = [
    "DamagedFileError",
    "DataNotFoundError",
    "ImageSet",
    "as_numbers",
    "draw_digits",
    "draw_faces",
    "load_images",
    "plain_factors",
    "render_digits",
    "render_faces",
]
