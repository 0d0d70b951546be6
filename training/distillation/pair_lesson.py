"""The lesson of a student whose score is of pairs, and whose retrieval finds the candidates of these pairs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from training.batches import Batch
from training.distillation.answers import Answers
from training.distillation.drawn_candidates import OTHERS, draw_candidates
from training.distillation.pair_answers import PairAnswers
from training.distillation.sequence_lesson import SequenceLesson
from training.students.deepfm import DeepFM


@dataclass(frozen=True, eq=False)
class PairLesson(SequenceLesson):
    """L = L_find + L_pair, each a next item's loss and lambda(e) times what its tutors say (equation 9).

    L_find is the lesson of an FM over the whole catalogue, because the FM finds what is scored when serving. L_pair is
    the same of the full score over the candidates of each row, the answer and 64 drawn others: over all pairs a step
    would cost N / 65 times as much.

    The next item's loss of pairs is sampled softmax with the term of each drawn item divided by how often it was to be
    drawn (the log-Q correction): the sum under the logarithm is then on average that of the full softmax, so that the
    score means the same over the whole catalogue, where it is evaluated and exported. Plain sampled softmax would learn
    ln p(c) less the logarithm of how likely the draw was. The answer is there without a draw, and not divided. The
    tutors' KL is renormalised over the candidates and needs none of this, see `PairSoftTargetTutor`.
    """

    student: DeepFM
    others: int = OTHERS
    """How many candidates a row has beside its answer."""

    def _mean_loss(self, batch: Batch, answers: Answers, epoch: int) -> Tensor:
        pairs = self._pairs(batch, answers)
        return super()._mean_loss(batch, answers, epoch) + pairs.nll.mean() + self.tutoring.pair_loss(pairs, epoch)

    def _pairs(self, batch: Batch, answers: Answers) -> PairAnswers:
        logits = answers.hidden.detach() @ answers.items.detach()[1:].T  # [R, N]
        targets = self.tutoring.targets.at(answers.row) if self.tutoring.targets is not None else None
        candidates = draw_candidates(logits, answers.target, targets, self.others)
        context = self.student.contexts(batch.history).at(batch.asked)  # [R]
        score = self.student.scores(context, self.student.offered_catalogue().at(candidates.item))  # [R, C]
        return PairAnswers(answers.row, candidates, score, logits.shape[1])
