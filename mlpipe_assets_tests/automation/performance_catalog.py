"""The catalog under which only realised performance can speak: its model looks at age alone, and only predictions are watched."""

from dataclasses import replace
from datetime import timedelta

from mlpipe_assets.catalog.contents import CATALOG as BUILT_IN
from mlpipe_assets.catalog.declarations import Monitor
from mlpipe_assets.catalog.learners import Promotion

_LONG = timedelta(days=60)  # nothing is late, so that nothing else is told
_orders, _customers, _ = BUILT_IN.sources
_features = replace(BUILT_IN.feature_views[0], fresh_within=_LONG)
_model = BUILT_IN.models[0]
assert _model.learner
HORIZON = timedelta(days=2)
MONITOR = Monitor(
    table=f"predictions/{_model.name}",
    window=timedelta(days=1),  # no day of it can be left out, so that two in a row are needed
    persist=2,
    cooldown=timedelta(0),  # so that nothing but what was asked before keeps a later look from asking again
    fresh_within=_LONG,
)
CATALOG = replace(
    BUILT_IN,
    sources=(replace(_orders, fresh_within=_LONG), replace(_customers, fresh_within=_LONG)),
    feature_views=(_features,),
    models=(
        replace(
            _model,
            view=_features,
            horizon=HORIZON,
            embargo=HORIZON,
            every=timedelta(days=1),
            learner=replace(_model.learner, numeric=("age",), categorical=(), rounds=10, recency=None),
            promotion=Promotion(min_roc_auc=0.0, max_log_loss_ratio=10.0),
            fresh_within=_LONG,
        ),
    ),
    monitors=(MONITOR,),
)
