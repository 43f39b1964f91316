"""What a notebook carries inside itself lies beside a page, and is loaded when it comes near.

In a notebook a picture is base64 within the output, and a live figure brings its script and its
decoder's weights. A page of the book loads pictures as WebP, and the scripts of live figures once a
reader is about to see them.
"""

import base64
import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dark_figures import in_both_themes
from PIL import Image, ImageChops, ImageStat

FOLDER = "_beside"
FAINT = 0.5  # of 255: what few colours may change on average
PNG = re.compile(r'(<(img|image)\b[^>]*?)(src|href)="data:image/png;base64,([^"]+)"')
LIVE = re.compile(
    r'<figure class="course-live"(?P<head>(?:(?!</figure>).)*)'
    r"<script>(?P<script>(?:(?!</script>).)*)</script></figure>",
    re.DOTALL,
)
# Its script looks for the figure around it, so it works in a page that is opened as a file, too.
LOADER = """<script>
{
  const load = ({ target, isIntersecting }) => {
    if (!isIntersecting) return;
    near.unobserve(target);
    const script = document.createElement("script");
    script.src = target.dataset.script;
    script.onerror = () => target.classList.add("lf-failed");
    target.append(script);
  };
  const near = new IntersectionObserver((all) => all.forEach(load), { rootMargin: "1200px" });
  document.querySelectorAll("[data-script]").forEach((figure) => near.observe(figure));
}
</script>
"""


@dataclass(frozen=True)
class Folder:
    """Where files go that a page in `out` names, with `path_to` making an address from a path."""

    out: Path
    path_to: Callable[[str], str]

    def put(self, content: bytes, ending: str, changed: Callable[[bytes], bytes] = bytes) -> str:
        """Write `changed(content)`, unless it is there from an earlier build; gives its address."""
        name = f"{FOLDER}/{hashlib.sha256(content).hexdigest()[:16]}{ending}"
        if not (self.out / name).exists():
            (self.out / FOLDER).mkdir(exist_ok=True)
            (self.out / name).write_bytes(changed(content))
        return self.path_to(name)


def pictures_beside(page: str, folder: Folder) -> str:
    """Pictures become files that are loaded when they come near, and are to be seen."""

    def beside(found: re.Match) -> str:
        start, tag, name, data = found.groups()
        png = base64.b64decode(data)
        address = f'{start}{name}="{folder.put(png, ".webp", webp)}"'
        if tag == "image":  # within a drawing, which says how large it is
            return address
        width, height = Image.open(io.BytesIO(png)).size
        return f'{address} width="{width}" height="{height}" decoding="async" loading="lazy"'

    return PNG.sub(beside, in_both_themes(page))


def webp(png: bytes) -> bytes:
    """The picture as WebP: lossless, in 32 colours where they suffice, or of quality 60.

    Whichever is least. Lines and letters have few colours; what has many, such as a sheet of
    pictures, would be flattened, and is left as it is.
    """
    picture = Image.open(io.BytesIO(png))
    picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    made = [_saved(picture, lossless=True), _saved(picture, quality=60, method=6)]
    if picture.mode == "RGB":
        few = picture.quantize(32, dither=Image.Dither.NONE).convert("RGB")
        if sum(ImageStat.Stat(ImageChops.difference(picture, few)).mean) / 3 < FAINT:
            made.append(_saved(few, lossless=True))
    return min(made, key=len)


def _saved(picture: Image.Image, **options) -> bytes:
    made = io.BytesIO()
    picture.save(made, format="webp", **options)
    return made.getvalue()


def scripts_beside(page: str, folder: Folder) -> str:
    """The script of a live figure becomes a file."""

    def beside(found: re.Match) -> str:
        address = folder.put(found["script"].encode(), ".js")
        return f'<figure class="course-live" data-script="{address}"{found["head"]}</figure>'

    page, n = LIVE.subn(beside, page)
    return page.replace("</body>", f"{LOADER}</body>") if n else page


def put_beside(page: str, out: Path, path_to: Callable[[str], str]) -> str:
    """`page` with its files in a folder of `out`; `path_to` makes an address from a path there."""
    folder = Folder(out, path_to)
    return scripts_beside(pictures_beside(page, folder), folder)


def tidy(out: Path) -> None:
    """Files that no page names any more are deleted."""
    pages = "".join(page.read_text(encoding="utf-8") for page in out.glob("**/*.html"))
    for file in (out / FOLDER).glob("*"):
        if file.name not in pages:
            file.unlink()
