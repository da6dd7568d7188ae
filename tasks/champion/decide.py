"""Decide whether a run's best model should replace the champion. Whatever cannot be seen for sure refuses it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from reports.analysis import gate_checks
from reports.analysis.gate_checks import Contest, describe_contender
from reports.analysis.measurements import complete_variants, lowest_val_loss, trainings_of, validation_loss_of
from reports.analysis.paired_tests import least_clear_gain
from reports.analysis.statistics import paired_accuracy_difference
from reports.evidence import Evidence
from reports.sections.comparison_section import BAG_OF_WORDS
from reports.sections.decision_section import Contender, Decision, GateCheck
from storage.champion_log import ChampionLog
from storage.champion_records import TOLERANCE, ChampionModel, ChampionRecord, References
from storage.feedback_records import read_newest_feedback
from storage.looks import Look, read_looks, record_look
from storage.records import Run, TrainingResult
from storage.store import Store
from tasks.champion.contest import (
    ContestReviews,
    find_anchor,
    find_number,
    predict_milliseconds,
    read_contest_reviews,
    read_test_predictions,
    show_flips,
)
from tasks.champion.gate_request import GateSetup
from tasks.champion.model_record import identify_training, take_references
from tasks.champion.scoring import Scoring, check_references

# What a mode makes of a model that may replace the champion.
ENDS = {"automatic": "promote"}


class Refusal(Exception):  # noqa: N818 - a verdict, not an accident
    """Something that must hold does not.

    Attributes:
        code: A reason of the decision.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


class Gate:
    """One decision in the making. What was found until something fails stands in the decision all the same."""

    def __init__(self, run: Run, evidence: Evidence, store: Store, setup: GateSetup) -> None:
        self.run, self.evidence, self.store, self.setup = run, evidence, store, setup
        self.policy, self.log = setup.policy, ChampionLog(store, setup.name)
        self.found: dict[str, Any] = {}
        self.checks: list[GateCheck] = []

    def decide(self) -> Decision:
        """Return the decision; a refusal if anything fails."""
        try:
            outcome, *reasons = self._decide()
            return self._conclude(outcome, reasons)
        except Refusal as refusal:
            error = str(refusal) if str(refusal) != refusal.code else ""
            return self._conclude("refused", [refusal.code], error=error)
        except (ValueError, OSError, ArithmeticError, LookupError) as error:
            return self._conclude("refused", ["failed"], error=f"{error}" or type(error).__name__)

    def _conclude(self, outcome: str, reasons: list[str], error: str = "") -> Decision:
        known = {"number": 0} | self.found
        return Decision(
            outcome=outcome,  # type: ignore[arg-type]
            reasons=tuple(reasons),
            policy=self.policy,
            champion_name=self.setup.name,
            checks=tuple(self.checks),
            test_set=self.run.test_set,
            error=error,
            **known,
        )

    def _must(self, name: str, *, holds: bool, code: str, message: str = "") -> None:
        """Note a check of what must hold; refuse if it does not."""
        self.checks.append(GateCheck(name, "must", gate_checks.judge(is_failed=not holds), detail=message))
        if not holds:
            raise Refusal(code, message)

    def _decide(self) -> tuple[str, ...]:
        newest = self.log.read_whole()
        record = newest.record if newest else None
        self.found["number"] = record.number if record else 0
        challenger = self._choose_challenger()
        identity = identify_training(self.run, challenger, self.store)
        self.found["challenger"] = Contender(
            self.run.run_id, challenger.name, identity, milliseconds=predict_milliseconds(challenger)
        )
        if record is None or record.champion is None:
            return self._judge_first(challenger, record, identity)
        champion = record.champion
        self.found["champion"] = Contender(
            champion.run_id, champion.training, champion.identity, find_number(self.log, record)
        )
        feedback = read_newest_feedback(self.log, champion.identity)
        if feedback:
            weeks = tuple((one.week, one.labelled, one.right) for one in feedback.weeks)
            self.found |= {"feedback": weeks, "feedback_scored": feedback.scored}
        anchor = find_anchor(self.log, record) if self.policy.policy == "refresh" else None
        scored, reviews = self._score(challenger, champion, anchor and anchor[1])
        self.found |= reviews.describe()
        self._must("common", holds=bool(reviews.used.any()), code="no_common_reviews")
        if identity == champion.identity or gate_checks.is_same(
            reviews.challenger[reviews.used], scored[0][reviews.used], TOLERANCE
        ):
            return ("same", "is_champion")
        if record.is_blocked(identity):
            return ("keep", "blocked")
        return self._compare(record, identity, anchor, reviews, scored)

    def _choose_challenger(self) -> TrainingResult:
        run = self.run
        failed = {failure.variant for failure in run.failures} & set(run.known.variants)
        self._must("variants", holds=not failed, code="failed_variant", message=", ".join(sorted(failed)))
        self._must("models", holds=bool(run.trainings), code="no_model")
        best = min(complete_variants(run), key=lambda name: validation_loss_of(run, name))
        challenger = lowest_val_loss(trainings_of(run, best))
        figures = [challenger.validation.loss, challenger.test.loss, challenger.test.accuracy]
        self._must("finite", holds=bool(np.isfinite(figures).all()), code="not_finite")
        pairs_apply = any("minimal_pairs" in dataset.files for dataset in run.datasets.values())
        has_pairs = "predictions-minimal_pairs.parquet" in challenger.files
        self._must("metrics", holds=has_pairs or not pairs_apply, code="missing_metric", message="minimal pairs")
        return challenger

    def _load(self, name: str, training: str, found: Any, references: References) -> None:
        """Note whether a model loads in a clean process, and whether it still gives its reference outputs."""
        error = found if isinstance(found, Exception) else None
        self._must(f"{name}_loads", holds=error is None, code=f"{name}_unusable", message=str(error or ""))
        message = check_references(found, references, training)
        self._must(f"{name}_references", holds=not message, code=f"{name}_drifted", message=message)

    def _score(
        self, challenger: TrainingResult, champion: ChampionModel, anchor: ChampionModel | None
    ) -> tuple[list[Any], ContestReviews]:
        """Return the probabilities of the champion, and of the anchor, on all reviews, and the reviews."""
        run, store = self.run, self.store
        references = take_references(run, challenger, store)
        models = [champion, *([anchor] if anchor else [])]
        ids = np.array(read_test_predictions(run, challenger, store)["review_id"].to_pylist(), str)
        scoring = Scoring(run, challenger, references, models, ids, store)
        try:
            reviews = read_contest_reviews(
                run, self.evidence, challenger, champion, store, counts_new=self.policy.policy == "refresh"
            )
        except BaseException:
            scoring.process.close()
            raise
        asked = scoring.finish()
        self._load("challenger", challenger.name, asked.challenger, references)
        self._load("champion", champion.training, asked.references[0], champion.references)
        if anchor:
            self._load("anchor", anchor.training, asked.references[1], anchor.references)
        return asked.reviews, reviews

    def _judge_first(self, challenger: TrainingResult, record: ChampionRecord | None, identity: str) -> tuple[str, ...]:
        """Return the outcome if there is no champion yet."""
        references = take_references(self.run, challenger, self.store)
        asked = Scoring(self.run, challenger, references, [], np.zeros(0, str), self.store).finish()
        self._load("challenger", challenger.name, asked.challenger, references)
        reviews = read_contest_reviews(self.run, self.evidence, challenger, None, self.store)
        self.found |= reviews.describe()
        self._must("common", holds=bool(reviews.used.any()), code="no_common_reviews")
        labels, said = reviews.labels[reviews.used], reviews.challenger[reviews.used]
        self._describe_challenger(reviews, said)
        if record is not None and record.is_blocked(identity):
            return ("keep", "blocked")
        words = next((one for one in self.evidence.baseline_checks if one.baseline == BAG_OF_WORDS), None)
        checks = [
            *gate_checks.check_first(labels, said, words),
            *gate_checks.check_floors(labels, said, self.policy),
        ]
        self.checks += checks
        return self._end(checks, "first")

    def _describe_challenger(self, reviews: ContestReviews, said: Any) -> None:
        self.found["challenger"] = describe_contender(
            self.found["challenger"], reviews.labels[reviews.used], said, reviews.parts, reviews.challenger_pairs
        )

    def _compare(
        self, record: ChampionRecord, identity: str, anchor: Any, reviews: ContestReviews, scored: list[Any]
    ) -> tuple[str, ...]:
        used, champion = reviews.used, record.champion
        if champion is None:
            raise Refusal("no_champion")
        contest = Contest(
            reviews.labels[used],
            reviews.challenger[used],
            scored[0][used],
            reviews.parts,
            reviews.pairs,
            reviews.seed_disagreement,
        )
        self._describe_challenger(reviews, contest.challenger)
        before = replace(
            self.found["champion"],
            milliseconds=reviews.champion_milliseconds,
            val_losses=reviews.champion_curve,
            validation_loss=champion.validation_loss,
        )
        self.found["champion"] = describe_contender(
            before, contest.labels, contest.champion, reviews.parts, reviews.champion_pairs
        )
        looks = read_looks(self.log)
        compared = (champion.identity, identity, reviews.name)
        mine = [look for look in looks if look.flow_run != self.setup.flow_run]
        earlier = [look for look in mine if look.compared == compared and look.policy == self.policy.policy]
        spent = sum(look.policy == "better" for look in mine)
        self.found["looks"] = spent
        self._note_gain(contest)
        if earlier:
            self.found |= {"earlier": earlier[-1].run_id, "earlier_outcome": earlier[-1].outcome}
            if earlier[-1].outcome == "promote":
                # The champion is still the same, so that promotion was lost.
                return (ENDS.get(self.policy.mode, "propose"), self.policy.policy)
            return ("same", "judged_before")
        if self.policy.policy == "better" and spent >= self.policy.looks_per_year:
            return ("keep", "looks_spent")
        outcome = self._test(contest, reviews, anchor, scored)
        self.found["flips"] = show_flips(reviews, contest)
        look = Look(
            flow_run=self.setup.flow_run,
            run_id=self.run.run_id,
            when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            policy=self.policy.policy,
            number=record.number,
            champion=champion.identity,
            challenger=identity,
            reviews=reviews.name,
            p_value=self.found["p_value"] if self.policy.policy == "better" else None,
            outcome=outcome[0],
        )
        record_look(self.log, look, single_writer=self.policy.single_writer)
        if self.policy.policy == "better":
            self.found |= {"is_look": True, "looks": spent + 1}
        return outcome

    def _note_gain(self, contest: Contest) -> None:
        gained, lost = contest.count_discordant()
        self.found |= {
            "gain": paired_accuracy_difference(contest.is_right, contest.was_right),
            "gained": gained,
            "lost": lost,
            "p_value": gate_checks.check_better(contest, self.policy).p_value,
            "least_gain": least_clear_gain(gained + lost, len(contest.labels), self.policy.level),
        }

    def _test(self, contest: Contest, reviews: ContestReviews, anchor: Any, scored: list[Any]) -> tuple[str, ...]:
        """Apply the policy's reasons, the guards and the floors, and return the outcome."""
        if self.policy.policy == "better":
            checks = [gate_checks.check_better(contest, self.policy)]
        else:
            gain = None
            if anchor:
                right = (scored[1][reviews.used] > 0.5) == contest.labels
                gain = float(contest.is_right.mean() - right.mean())
                self.found["anchor"] = (anchor[0], float(right.mean()), gain)
            checks = list(gate_checks.check_refresh(contest, self.policy, self.found["new_reviews"] or 0, gain))
        checks += gate_checks.check_guards(contest, self.policy)
        checks += gate_checks.check_floors(contest.labels, contest.challenger, self.policy)
        challenger, champion = self.found["challenger"], self.found["champion"]
        self.checks += [*checks, gate_checks.check_latency(challenger.milliseconds, champion.milliseconds)]
        return self._end(checks, self.policy.policy)

    def _end(self, checks: list[GateCheck], reason: str) -> tuple[str, ...]:
        failed = [check for check in checks if check.result == "failed"]
        if any(check.kind == "reason" for check in failed):
            return ("keep", f"not_{reason}")
        if failed:
            return ("keep", "guards")
        return (ENDS.get(self.policy.mode, "propose"), reason)


def decide(run: Run, evidence: Evidence, store: Store, setup: GateSetup) -> Decision:
    """Return the gate's decision on a run whose evidence is computed.

    Args:
        run: The run's record.
        evidence: The evidence of the same run.
        store: The store that has both, and the log of champions.
        setup: What the gate is told.
    """
    return Gate(run, evidence, store, setup).decide()
