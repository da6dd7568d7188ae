"""Made-up decisions of the gate, for the tests of the page."""

from __future__ import annotations

from dataclasses import replace

from reports.analysis.statistics import Interval
from reports.sections.decision_section import Contender, Decision, GateCheck
from reports.sections.errors_section import ShownReview
from reports.sections.gate_policy import parse_policy

SLICES = (("label", 0.0, None, 500, 0.81), ("length", 0.0, 100.0, 600, 0.83), ("week", 739_500.0, None, 700, 0.8))
CHALLENGER = Contender(
    "20261123T020000Z-abc123",
    "lstm-seed42",
    "a" * 64,
    None,
    Interval(0.809, 0.8, 0.818),
    Interval(0.42, 0.41, 0.43),
    0.02,
    (50, 100),
    SLICES,
    5.1,
)
CHAMPION = replace(
    CHALLENGER,
    run_id="20261112T020000Z-def456",
    training="gru-seed42",
    identity="b" * 64,
    number=17,
    accuracy=Interval(0.8, 0.79, 0.81),
    val_losses=(0.6, 0.45, 0.44),
    validation_loss=0.44,
)
CHECKS = (
    GateCheck("variants", "must", "passed"),
    GateCheck("better", "reason", "passed", 0.009, 0.000137, 1e-9),
    GateCheck("log_loss", "guard", "passed", -0.01, 0.005, 0.99),
    GateCheck("minimal_pairs", "guard", "not applicable", limit=0.05),
    GateCheck("slice", "guard", "passed", -0.01, 0.02, 1.0, ("label", 0.0, None)),
    GateCheck("slice", "guard", "passed", -0.01, 0.02, 1.0, ("length", 0.0, 100.0)),
    GateCheck("calibration", "guard", "passed", -0.01, 0.01, 0.9),
    GateCheck("flips", "guard", "passed", 0.02, 0.075),
    GateCheck("least_accuracy", "floor", "passed", 0.809, 0.6),
    GateCheck("most_loss", "floor", "passed", 0.42, 0.6931),
    GateCheck("latency", "warning", "warned", 2.4, 2.0),
)
FLIP = ShownReview(
    "test-7",
    is_positive=True,
    probabilities={"champion": 0.8, "challenger": 0.2},
    words=("a", "rare", "film"),
    unknown=(1,),
    cut_words=3,
)
BEFORE = "20261122T020000Z-aaaaaa"
PROPOSED = Decision(
    outcome="propose",
    reasons=("better",),
    policy=parse_policy("mode=propose"),
    champion_name="main",
    number=17,
    challenger=CHALLENGER,
    champion=CHAMPION,
    checks=CHECKS,
    reviews=24_676,
    repeated=201,
    left_out=123,
    gain=Interval(0.009, 0.006, 0.012),
    gained=900,
    lost=678,
    p_value=1e-9,
    least_gain=0.0058,
    looks=3,
    is_look=True,
    flips=(FLIP,),
)
FAILED_GUARD = replace(CHECKS[2], result="failed", value=0.02, p_value=0.001)
UNCLEAR = replace(CHECKS[1], result="failed", value=0.001, p_value=0.3)
KEPT = replace(
    PROPOSED,
    outcome="keep",
    reasons=("not_better",),
    gain=Interval(0.001, -0.002, 0.004),
    p_value=0.3,
    checks=(CHECKS[0], UNCLEAR, *CHECKS[2:]),
)
DECISIONS = {
    "proposed": PROPOSED,
    "promoted": replace(PROPOSED, outcome="promote", policy=parse_policy("mode=automatic")),
    "refreshed": replace(
        PROPOSED, reasons=("refresh",), policy=parse_policy("mode=propose,policy=refresh"), anchor=(12, 0.81, -0.001)
    ),
    "kept": KEPT,
    "worse": replace(KEPT, gain=Interval(-0.02, -0.03, -0.01)),
    "guards": replace(PROPOSED, outcome="keep", reasons=("guards",), checks=(*CHECKS[:2], FAILED_GUARD, *CHECKS[3:])),
    "blocked": replace(PROPOSED, outcome="keep", reasons=("blocked",)),
    "spent": replace(PROPOSED, outcome="keep", reasons=("looks_spent",), looks=365),
    "same": replace(PROPOSED, outcome="same", reasons=("is_champion",), checks=CHECKS[:1], gain=None, flips=()),
    "again": replace(
        PROPOSED,
        outcome="same",
        reasons=("judged_before",),
        earlier=BEFORE,
        earlier_outcome="propose",
    ),
    "kept again": replace(KEPT, outcome="same", reasons=("judged_before",), earlier=BEFORE, earlier_outcome="keep"),
    "refused": Decision(
        "refused",
        ("champion_unusable",),
        parse_policy("mode=propose"),
        "main",
        17,
        challenger=CHALLENGER,
        champion=replace(CHAMPION, accuracy=None, loss=None),
        checks=(
            CHECKS[0],
            GateCheck("champion_loads", "must", "failed", detail="runs/x/model.keras must be there and is missing."),
        ),
        error="runs/x/model.keras must be there and is missing.",
    ),
    "first": replace(PROPOSED, reasons=("first",), number=0, champion=None, gain=None, p_value=None, flips=()),
    "korean": replace(PROPOSED, champion_name="korean"),
    "report only": replace(PROPOSED, policy=parse_policy("mode=report_only")),
}
