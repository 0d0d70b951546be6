"""Every teacher of this package holds to the laws of teachers."""

from training.causal_encoder import CausalEncoderConfig
from training.fitting import FitConfig
from training.teachers.finetuning import CatalogueFinetuneConfig
from training.teachers.recformer.config import RandomBackbone, RecformerConfig
from training.teachers.recformer.finetuning import RecformerFinetuneConfig
from training.teachers.recformer.kind import RecformerKind, RecformerRecipe
from training.teachers.recformer.pretraining import RecformerPretrainConfig
from training.teachers.unim2rec.kind import UniM2RecKind, UniM2RecRecipe
from training.teachers.unim2rec.pretraining import UniM2RecPretrainConfig
from training.teachers.unim2rec.unim2rec import UniM2RecConfig
from training.teachers.unisrec import UniSRecConfig
from training.teachers.unisrec_kind import UniSRecKind, UniSRecRecipe
from training.teachers.unisrec_pretraining import UniSRecPretrainConfig
from training.testing.teacher_conformance import TeacherConformance

ENCODER = CausalEncoderConfig(width=32, inner=32, layers=1, heads=2, dropout=0.1, max_history=10)
FIT = FitConfig(epochs=4, patience=4, learning_rate=1e-2, rows_per_batch=256, device="cpu")
ONCE = FIT.model_copy(update={"epochs": 1})


class TestUniSRec(TeacherConformance):
    kind = UniSRecKind()
    recipe = UniSRecRecipe(
        model=UniSRecConfig(encoder=ENCODER, experts=2),
        pretrain=UniSRecPretrainConfig(fit=ONCE),
        finetune=CatalogueFinetuneConfig(fit=FIT),
    )


class TestUniSRecWithIds(TeacherConformance):
    kind = UniSRecKind()
    recipe = UniSRecRecipe(
        model=UniSRecConfig(encoder=ENCODER, experts=2, item_ids=True),
        pretrain=UniSRecPretrainConfig(fit=ONCE),
        finetune=CatalogueFinetuneConfig(fit=FIT.model_copy(update={"epochs": 3}), ids=ONCE),
    )


class TestUniM2Rec(TeacherConformance):
    kind = UniM2RecKind()
    recipe = UniM2RecRecipe(
        model=UniM2RecConfig(encoder=ENCODER, experts=2),
        pretrain=UniM2RecPretrainConfig(fit=ONCE),
        finetune=CatalogueFinetuneConfig(fit=FIT),
    )


class TestRecformer(TeacherConformance):
    kind = RecformerKind()
    recipe = RecformerRecipe(
        model=RecformerConfig(
            backbone="none", random=RandomBackbone(width=32, words=512), max_items=3, max_tokens=32, dropout=0.0
        ),
        pretrain=RecformerPretrainConfig(fit=ONCE),
        finetune=RecformerFinetuneConfig(
            fit=FIT.model_copy(update={"epochs": 6, "learning_rate": 3e-3, "rows_per_batch": 32}),
            second_epochs=2,
            validation_users=60,
        ),
    )
