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


def inside(made):
    """Whether every text and picture of the figure's only axis is inside of its frame."""
    made.canvas.draw()
    (axis,) = made.axes
    frame = axis.get_window_extent()
    boxes = [part.get_window_extent() for part in (*axis.texts, *axis.child_axes)]
    return all(
        frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        for box in boxes
    )


def test_the_hourglass_shows_both_pictures_and_every_number_of_the_code(monkeypatch):
    kept = []
    monkeypatch.setattr(architecture, "show", lambda made, **texts: kept.append(made))
    x, rebuilt, code = torch.rand(1, 4, 4), torch.rand(1, 4, 4), torch.tensor([1.0, -2, 0.5])
    architecture.hourglass_figure(x, code, rebuilt, caption="caption", alt="alt")
    first, bars, last = kept[0].axes[0].child_axes
    assert (first.images[0].get_array() == x[0].numpy()).all()
    assert (last.images[0].get_array() == rebuilt[0].numpy()).all()
    assert [bar.get_height() for bar in bars.patches] == code.tolist()
    assert inside(kept[0])
    plt.close(kept[0])


def test_the_vae_shows_what_goes_in_its_mean_and_a_draw(monkeypatch):
    kept = []
    monkeypatch.setattr(architecture, "show", lambda made, **texts: kept.append(made))
    pictures = torch.rand(3, 1, 4, 4)
    architecture.vae_figure(*pictures, caption="caption", alt="alt")
    shown = kept[0].axes[0].child_axes
    for inset, picture in zip(shown, pictures, strict=True):
        assert (inset.images[0].get_array() == picture[0].numpy()).all()
    assert inside(kept[0])
    plt.close(kept[0])
