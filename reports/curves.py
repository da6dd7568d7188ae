"""Learning curves as inline SVG."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from storage.records import TrainingResult

TRAINING_COLOUR, VALIDATION_COLOUR = "#2a78c2", "#c2571a"
# Matplotlib has no "whatever the page's text colour is": this one is replaced by it.
INK = "#010203"


def loss_limits(histories: dict[str, dict[str, list[float]]]) -> tuple[float, float]:
    """Return the lowest and highest loss of all trainings with a margin, so that all charts share one scale."""
    losses = [loss for history in histories.values() for name in ("loss", "val_loss") for loss in history[name]]
    margin = 0.05 * (max(losses) - min(losses)) or 0.01
    return min(losses) - margin, max(losses) + margin


def draw_loss_curves(
    training: TrainingResult, history: dict[str, list[float]], limits: tuple[float, float], last_epoch: int
) -> str:
    """Return an `<svg>` of training and validation loss by epoch, with the best epoch marked.

    The same input gives the same text. Its text stays text, in the page's font and colour.
    """
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": training.name, "font.size": 9.0}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(4.6, 2.9), layout="constrained")
        axes = figure.add_subplot()
        epochs = range(1, training.epochs + 1)
        axes.plot(epochs, history["loss"], color=TRAINING_COLOUR, linestyle="--", label="training")
        axes.plot(epochs, history["val_loss"], color=VALIDATION_COLOUR, label="validation")
        axes.axvline(training.best_epoch, color=INK, linewidth=0.8, linestyle=":")
        best_loss = history["val_loss"][training.best_epoch - 1]
        axes.plot(
            [training.best_epoch],
            [best_loss],
            "o",
            color=VALIDATION_COLOUR,
            markersize=5,
            clip_on=False,
            label="best epoch",
        )
        axes.set(xlabel="epoch", ylabel="loss", xlim=(0.5, last_epoch + 0.5), ylim=limits)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK)
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set_color(INK)
        for spine in axes.spines.values():
            spine.set_color(INK)
        axes.legend(frameon=False, labelcolor=INK)
        buffer = io.StringIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    return _inline(buffer.getvalue())


def _inline(svg: str) -> str:
    """Keep the `<svg>` element alone, sized by the page, without the ids that every figure repeats."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return svg.replace(INK, "currentColor").replace("<svg ", '<svg aria-hidden="true" ', 1)
