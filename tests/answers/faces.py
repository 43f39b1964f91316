"""Answers to the exercises of chapter 10, right in different styles, and wrong in known ways."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def cut(x, p):
    return F.unfold(x, p, stride=p).transpose(1, 2)


def cut_by_windows(x, p):
    windows = x.unfold(2, p, p).unfold(3, p, p)
    return windows.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


def cut_by_loops(x, p):
    rows = []
    for picture in x:
        rows.append([])
        for band in picture.split(p, 1):
            rows[-1] += [tile.reshape(-1) for tile in band.split(p, 2)]
    return torch.stack([torch.stack(row) for row in rows])


def cut_by_numpy(x, p):
    b, c, h, w = x.shape
    split = x.numpy().reshape(b, c, h // p, p, w // p, p)
    return np.einsum("bcrikj->brkcij", split).reshape(b, -1, c * p * p)


def windows(*order):
    """After unfold: batch, C, rows, columns, inside rows, inside columns."""

    def answer(x, p):
        b, c, h, w = x.shape
        split = x.unfold(2, p, p).unfold(3, p, p)
        return split.permute(order).reshape(b, h * w // p**2, c * p**2)

    return answer


def table(rows, columns, width):
    n = width // 4
    f = 10_000 ** (-torch.arange(n) / n)
    r, c = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    r, c = r.reshape(-1, 1) * f, c.reshape(-1, 1) * f
    return torch.cat([r.sin(), r.cos(), c.sin(), c.cos()], 1)


def table_loops(rows, columns, width, first=0):
    n, out = width // 4, []
    f = [10_000 ** (-i / n) for i in range(n)]
    for r in range(first, rows + first):
        for c in range(first, columns + first):
            waves = [[fn(p * v) for v in f] for p in (r, c) for fn in (math.sin, math.cos)]
            out.append([value for wave in waves for value in wave])
    return out


def table_numpy(rows, columns, width):
    r, c = np.divmod(np.arange(rows * columns), columns)
    f = np.logspace(0, -4, width // 4, endpoint=False)
    return np.hstack([fn(np.outer(p, f)) for p in (r, c) for fn in (np.sin, np.cos)])


def waves(rows, columns, width, f=None, by=1.0, order=(0, 1, 2, 3)):
    """The four parts in another order, with other frequencies, or with other angles."""
    f = 10_000.0 ** -(torch.arange(0, width, 4) / width) if f is None else f
    r = by * torch.arange(rows).repeat_interleave(columns)[:, None] * f
    c = by * torch.arange(columns).repeat(rows)[:, None] * f
    parts = r.sin(), r.cos(), c.sin(), c.cos()
    return torch.hstack([parts[i] for i in order])


def softly(raw, low):
    return torch.logaddexp(raw, torch.tensor(low).to(raw))


def softly_by_root(raw, low):
    above = raw - low
    return low + (above + (above**2 + 0.1).sqrt()) / 2


def softly_by_elu(raw, low):
    return low + 1 + F.elu(raw - low - 1)


def softly_but_firmer(raw, low):
    return low + F.softplus(raw - low, beta=4)


def softly_by_hand(raw, low):
    above = raw - low
    return low + above.clamp(min=0) + torch.log1p(torch.exp(-above.abs()))


def straight_through(raw, low):
    return raw + (softly(raw, low) - raw).detach()


def bent_sharply(raw, low):
    above = raw - low
    return low + torch.where(above > 0, above + 1e-4, 1e-4 * torch.exp(above.clamp(max=0)))


def moment(m, s):
    return (m**2 + (2 * s).exp()).mean()


def ratios(x, mean, log_std, m, s):
    return ((2 * log_std).exp().mean() / F.mse_loss(mean, x)).sqrt(), moment(m, s)


def ratios_by_norms(x, mean, log_std, m, s):
    first = log_std.exp().norm() / (x - mean).norm()
    return first.item(), (m.norm() ** 2 + s.exp().norm() ** 2).item() / m.numel()


def ratios_by_numpy(x, mean, log_std, m, s):
    x, mean, log_std, m, s = (v.numpy() for v in (x, mean, log_std, m, s))
    rms = [np.sqrt(np.average(v**2)) for v in (np.exp(log_std), x - mean)]
    return rms[0] / rms[1], np.average(m**2) + np.average(np.exp(s) ** 2)


def first(value):
    return lambda x, mean, log_std, m, s: (value(log_std.exp(), x - mean), moment(m, s))


def second(value):
    return lambda *case: (ratios(*case)[0], value(*case[3:]))


def rms(v):
    return (v**2).mean() ** 0.5


def slip(ratio, moment):
    one, half = 0.9 <= ratio <= 1.1, 0.4 <= moment <= 0.6
    root, full = 0.9 <= ratio / math.sqrt(2) <= 1.1, 0.8 <= moment <= 1.2
    if one and full:
        return "right"
    if root and full:
        return "likelihood"
    if one and half:
        return "kl"
    return "both" if root and half else "unknown"


def slip_by_differences(ratio, moment):
    for name, r, m in (
        ("right", 1.0, 1.0),
        ("likelihood", math.sqrt(2), 1.0),
        ("kl", 1.0, 0.5),
        ("both", math.sqrt(2), 0.5),
    ):
        if abs(ratio - r) <= 0.1 * r and abs(moment - m) <= 0.2 * m:
            return name
    return "unknown"


def slip_by_table(ratio, moment):
    found = np.array([[1, 1], [2**0.5, 1], [1, 0.5], [2**0.5, 0.5]])
    fits = (np.abs(np.array([ratio, moment]) / found - 1) <= [0.1, 0.2]).all(1)
    return ["right", "likelihood", "kl", "both"][fits.argmax()] if fits.any() else "unknown"


def slip_between(ratio, moment):
    """Any limit between what is allowed and what is wild."""
    likelihood = "no" if 0.8 < ratio < 1.2 else "yes" if 1.2 < ratio < 1.8 else "?"
    kl = "yes" if 0.33 < moment < 0.7 else "no" if 0.7 < moment < 1.5 else "?"
    names = {"nono": "right", "yesno": "likelihood", "noyes": "kl", "yesyes": "both"}
    return names.get(likelihood + kl, "unknown")


def slip_by_logs(ratio, moment):
    """As far down as up, but in logarithms."""
    for name, r, m in (("right", 1, 1), ("likelihood", 2**0.5, 1), ("kl", 1, 0.5)):
        if abs(math.log(ratio / r)) <= math.log(1.1) and abs(math.log(moment / m)) <= math.log(1.2):
            return name
    return "both" if slip(ratio, moment) == "both" else "unknown"


def within(first_off=0.1, second_off=0.2, root=2**0.5, half=0.5):
    def answer(ratio, moment):
        for name, (r, m) in {
            "right": (1, 1),
            "likelihood": (root, 1),
            "kl": (1, half),
            "both": (root, half),
        }.items():
            if abs(ratio / r - 1) < first_off and abs(moment / m - 1) < second_off:
                return name
        return "unknown"

    return answer


def smile(codes, smiles, glasses):
    means = [
        [codes[(smiles == s) & (glasses == g)].mean(0) for g in (False, True)]
        for s in (False, True)
    ]
    return (means[1][0] + means[1][1] - means[0][0] - means[0][1]) / 2


def smile_loops(codes, smiles, glasses):
    total = torch.zeros_like(codes[0])
    for kind in (True, False):
        rows = {True: [], False: []}
        for code, s, g in zip(codes, smiles.tolist(), glasses.tolist(), strict=True):
            if g == kind:
                rows[s].append(code)
        total += sum(rows[True]) / len(rows[True]) - sum(rows[False]) / len(rows[False])
    return total / 2


def smile_by_weights(codes, smiles, glasses):
    """Each face counts with one over the size of its group."""
    group = 2 * smiles.long() + glasses.long()
    weight = 1 / torch.bincount(group)[group].to(codes)
    return (weight * (2 * smiles.to(codes) - 1)) @ codes / 2


def plain(codes, smiles, glasses):
    return codes[smiles].mean(0) - codes[~smiles].mean(0)


def among(codes, smiles, who):
    return plain(codes[who], smiles[who], None)


def arrived(before, after, wanted, asked):
    moved = after - before
    share = moved[:, wanted] / asked
    drift = moved.mean(0).abs() / before.std(0)
    rest = torch.arange(len(drift)) != wanted
    return share.mean(), (share > 1 / 3).to(before).mean(), drift[rest].max()


def arrived_by_numpy(before, after, wanted, asked):
    b, a = before.numpy(), after.numpy()
    share = (a[:, wanted] - b[:, wanted]) / asked
    drift = np.abs(a.mean(0) - b.mean(0)) / b.std(0, ddof=1)
    return share.mean(), np.mean(3 * share > 1), np.delete(drift, wanted).max()


def arrived_by_loops(before, after, wanted, asked):
    faces, factors = before.shape
    total, count, worst = 0.0, 0, 0.0
    for n in range(faces):
        part = (after[n, wanted] - before[n, wanted]).item() / asked
        total, count = total + part, count + (part > 1 / 3)
    for k in range(factors):
        if k != wanted:
            mean = before[:, k].mean()
            std = (((before[:, k] - mean) ** 2).sum() / (faces - 1)) ** 0.5
            worst = max(worst, (abs(after[:, k].mean() - mean) / std).item())
    return total / faces, count / faces, worst


def but(part, value):
    """`arrived` with one of its results replaced."""

    def answer(b, a, w, asked):
        found = list(arrived(b, a, w, asked))
        found[part] = value(b, a, w, asked)
        return tuple(found)

    return answer


def rest(v, w):
    return v[:, [k for k in range(v.shape[1]) if k != w]]


def halved_in_place(raw, low):
    raw -= low
    return low + F.softplus(raw)


def heads_by_einsum(q, k, v):
    fit = torch.einsum("bqw,bkw->bqk", q, k) * q.shape[-1] ** -0.5
    return torch.einsum("bqk,bkw->bqw", torch.softmax(fit, -1), v)


def heads_by_loops(q, k, v):
    out = torch.zeros_like(v)
    for b in range(len(q)):
        for i in range(q.shape[1]):
            fit = torch.stack([torch.dot(q[b, i], key) for key in k[b]]) / math.sqrt(q.shape[2])
            shares = (fit - fit.max()).exp()
            out[b, i] = sum(w * value for w, value in zip(shares / shares.sum(), v[b], strict=True))
    return out


def heads_by_numpy(q, k, v):
    q, k, v = (part.numpy() for part in (q, k, v))
    fit = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
    shares = np.exp(fit - fit.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True) @ v


def heads_unsafe(q, k, v):
    shares = (q @ k.transpose(1, 2) / math.sqrt(q.shape[2])).exp()
    return shares / shares.sum(2, keepdim=True) @ v


RIGHT = {
    "attention": [heads_by_einsum, heads_by_loops, heads_by_numpy],
    "patches": [cut, cut_by_windows, cut_by_loops, cut_by_numpy],
    "positions": [table, table_loops, table_numpy, waves],
    "bounded_log_std": [softly, softly_by_root, softly_by_elu, softly_by_hand, softly_but_firmer],
    "two_ratios": [ratios, ratios_by_norms, ratios_by_numpy],
    "slip": [slip, slip_by_differences, slip_by_table],
    "direction": [smile, smile_loops, smile_by_weights],
    "arrived": [arrived, arrived_by_numpy, arrived_by_loops],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
WRONG = {
    "attention": [
        (heads_unsafe, "exp gives infinity"),
        (lambda q, k, v: heads_by_einsum(q, k, v.flip(1)), None),
        (lambda q, k, v: heads_by_einsum(q, k, v).mean(1), "shape"),
        (lambda q, k, v: heads_by_einsum(k, q, v) + k, None),
        (lambda q, k, v: (k @ q.mT).softmax(2) @ v, "two slips"),
        (lambda q, k, v: heads_by_einsum(q.float(), k.float(), v.float()), "float64"),
    ],
    "patches": [
        (lambda x, p: cut(x, 2), None),
        (lambda x, p: cut(x.clamp(0, 1), p), None),
        (lambda x, p: cut(x[:, :1].expand_as(x), p), None),
        (lambda x, p: windows(0, 3, 2, 4, 5, 1)(x.flip(2), p), None),
        (lambda x, p: cut(x.flip(2), p).transpose(1, 2), "two slips"),
        (lambda x, p: cut(x.float(), p), "float64"),
    ],
    "positions": [
        (lambda r, c, w: table(r, c, 2 * w)[:, :w], None),
        (lambda r, c, w: table(r, c, w) + torch.randn(r * c, w) * 1e-3, "draws"),
        (lambda r, c, w: table(r, c, w).abs(), None),
        (lambda r, c, w: table(min(r, 4), min(c, 4), w), None),
        (lambda r, c, w: waves(r, c, w, order=(1, 0, 3, 2), by=2 * math.pi), "two slips"),
        (
            lambda r, c, w: waves(
                r, c, w, 10_000 ** (-torch.arange(w // 4) / (w // 2)), order=(0, 2, 1, 3)
            ),
            "two slips",
        ),
        (lambda r, c, w: table(r, c, w).T, "shape"),
        (lambda r, c, w: table(r, c, w)[:, : w // 2], "shape"),
    ],
    "bounded_log_std": [
        (lambda raw, low: raw.clamp(min=low), "so no slope leads back"),
        (lambda raw, low: low + F.relu(raw - low), "so no slope leads back"),
        (lambda raw, low: raw.exp().clamp(min=math.exp(low)).log(), "so no slope leads back"),
        (lambda raw, low: raw, "without a bound"),
        (lambda raw, low: raw.exp(), "not log σ"),
        (lambda raw, low: F.softplus(raw), "above 0"),
        (lambda raw, low: low + torch.log1p(raw.exp()), "bends at 0"),
        (lambda raw, low: torch.log1p((raw - low).exp()), "Add the bound again"),
        (lambda raw, low: low + F.softplus(raw + low), "subtracted"),
        (lambda raw, low: low + (raw - low).exp(), "as fast as exp"),
        (lambda raw, low: low + (raw - low).sigmoid(), "more than 1"),
        (lambda raw, low: low - F.softplus(low - raw), "bound from above"),
        (lambda raw, low: raw.clamp(max=low), "cuts off"),
        (lambda raw, low: low + abs(raw - low), "wrong sign"),
        (lambda raw, low: torch.maximum(raw, low + 0.01 * (raw - low)), "only slower"),
        (lambda raw, low: raw.exp().clamp(min=low).log(), "bound for log σ"),
        (lambda raw, low: F.silu(raw - low) + low, "dips"),
        (lambda raw, low: torch.log(raw.exp() + math.exp(low)), "more than a float"),
        (lambda raw, low: low + torch.log1p(torch.exp(raw - low)), "more than a float"),
        (straight_through, "not the slope"),
        (bent_sharply, "kink"),
        (lambda raw, low: low + F.softplus(raw - low, beta=100), "does not rise"),
        (lambda raw, low: softly(raw.detach(), low), "no gradient"),
        (lambda raw, low: np.logaddexp(raw.numpy(), low), "no gradient"),
        (lambda raw, low: low + 4 * F.softplus((raw - low) / 4), "away from raw"),
        (lambda raw, low: low + 0.2 + F.softplus(raw - low - 0.2), "above the bound"),
        (lambda raw, low: softly(raw, low - 0.2), "below the bound"),
        (lambda raw, low: softly(raw, low).clamp(max=low + 9), "away from raw"),
        (lambda raw, low: softly(raw, low).mean(), "shape"),
        (lambda raw, low: softly(raw.float(), low), "float64"),
        (halved_in_place, "in place"),
        (lambda raw, low: softly(raw, -3.0), "the bound"),
        (lambda raw, low: softly(raw.clamp(min=low - 13), low), "so low stays"),
        (lambda raw, low: softly(raw, low).clamp(max=20.0), "1000"),
        (lambda raw, low: torch.stack([softly(row, low) for row in raw[0]])[None], "shape"),
    ],
    "two_ratios": [
        (lambda *case: ratios(*case)[0], "shape"),
        (second(lambda m, s: (m**2 + 2 * s.exp()).mean()), None),
        (lambda x, y, r, m, s: ratios(x, y, r.clamp(-5, 20), m, s), "moderate σ"),
        (lambda x, y, r, m, s: ratios(x, y, r.clamp(-20, 2), m, s), "moderate σ"),
        (lambda x, y, r, m, s: ratios(x, y, r, m, s.clamp(-5, 3)), "moderate σ"),
        (first(lambda s, e: ((s**2).mean() / ((e**2).mean() + 1e-8)).sqrt()), "below a fraction"),
        (first(lambda s, e: rms(s[:, :1]) / rms(e[:, :1])), None),
        (lambda x, y, r, m, s: (rms(x - y) / rms(r.exp()), (m**2).mean()), "two slips"),
        (lambda *case: (ratios(*case)[1] ** 0.5, ratios(*case)[0]), "two slips"),
        (lambda x, y, r, m, s: (rms(r.exp()) ** 2 / rms(x - y), moment(m, s) - 1), "two slips"),
        (first(lambda s, e: s.median() / e.abs().median()), None),
    ],
    "slip": [
        (within(0.06, 0.15), "too narrow"),
        (within(0.001, 0.001), "of every training"),
        (within(9.0, 9.0), "of every training"),
        (lambda r, m: "right", "of every training"),
        (within(0.1, 0.9), "How far"),
        (slip_between, "How far"),
        (slip_by_logs, None),
        (lambda r, m: "std", "none of the five"),
        (lambda r, m: 1, "a string"),
    ],
    "direction": [
        (lambda c, s, g: smile(c, s, g).abs(), None),
        (lambda c, s, g: -smile(c, g, s), "two slips"),
        (lambda c, s, g: 2 * plain(c, s, g), None),
        (lambda c, s, g: F.normalize(plain(c, s, g), dim=0), "two slips"),
        (lambda c, s, g: among(c, ~s, g), "two slips"),
        (lambda c, s, g: smile(c, s, g).float(), "float64"),
    ],
    "arrived": [
        (lambda *case: arrived(*case)[:2], "shape"),
        (but(1, lambda b, a, w, asked: ((a - b)[:, w] / asked > 0.26).double().mean()), None),
        (but(1, lambda b, a, w, asked: ((a - b)[:, w] / asked > 0.4).double().mean()), None),
        (
            but(
                1, lambda b, a, w, asked: ((a - b)[:, w] > (a - b)[:, w].mean() / 3).double().mean()
            ),
            None,
        ),
        (
            lambda b, a, w, asked: (
                (a - b)[:, w].mean(),
                arrived(b, a, w, asked)[1],
                (rest(a - b, w).mean(0).abs() / rest(b, w).std(0)).mean(),
            ),
            "two slips",
        ),
        (lambda *case: (arrived(*case)[1], arrived(*case)[0], arrived(*case)[2]), None),
        (lambda b, a, w, asked: arrived(b, a, 0, asked), "depends on these"),
    ],
}
