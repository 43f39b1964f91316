import matplotlib.pyplot as plt
import torch

from vae_course.plotting import architecture


def drawn(picture, patch, monkeypatch):
    """The figure itself, before it becomes a picture in the page."""
    kept = []
    monkeypatch.setattr(architecture, "show", lambda made, **texts: kept.append((made, texts)))
    architecture.transformer_figure(picture, patch, caption="caption", alt="alt")
    (result,) = kept
    return result


def test_the_face_is_cut_into_its_patches(monkeypatch):
    made, texts = drawn(torch.rand(3, 64, 64), 16, monkeypatch)
    insets = made.axes[0].child_axes
    assert len(insets) == 2 and texts == {"caption": "caption", "alt": "alt"}
    for inset in insets:
        assert len(inset.lines) == 2 * (64 // 16 - 1)
        assert sorted({line.get_ydata()[0] for line in inset.lines if line.get_ydata()[0] > 1}) == [
            15.5, 31.5, 47.5,
        ]  # fmt: skip
    plt.close(made)


def test_the_encoder_has_one_token_more_and_texts_keep_inside(monkeypatch):
    made, _ = drawn(torch.rand(3, 64, 64), 8, monkeypatch)
    axis = made.axes[0]
    columns = [round(patch.get_x(), 2) for patch in axis.patches]
    first, second = (columns.count(x) for x in sorted(set(columns)))
    assert first == second + 1
    made.canvas.draw()
    frame = axis.get_window_extent()
    for text in axis.texts:
        box = text.get_window_extent()
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1, text.get_text()
    plt.close(made)
