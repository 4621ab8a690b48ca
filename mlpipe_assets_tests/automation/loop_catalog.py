"""The catalog that the loop test runs under a real Dagster: the built-in one with windows of days, not of months."""

from dataclasses import replace
from datetime import timedelta

from mlpipe_assets.catalog.contents import CATALOG as BUILT_IN
from mlpipe_assets.catalog.declarations import Monitor
from mlpipe_assets.catalog.learners import Promotion

FRESH_WITHIN = timedelta(days=2, hours=12)
_orders, _customers, _ = BUILT_IN.sources
_features = replace(BUILT_IN.feature_views[0], fresh_within=FRESH_WITHIN)
_model = BUILT_IN.models[0]
assert _model.learner
MONITOR = Monitor(
    table="interim/orders",
    window=timedelta(days=3),
    baseline=timedelta(days=7),
    retrains=(_model.name,),
    persist=2,
    fresh_within=FRESH_WITHIN,
)
CATALOG = replace(
    BUILT_IN,
    sources=(replace(_orders, fresh_within=FRESH_WITHIN), _customers),
    feature_views=(_features,),
    models=(
        replace(
            _model,
            view=_features,
            horizon=timedelta(days=2),
            embargo=timedelta(days=2),
            every=timedelta(days=1),
            learner=replace(_model.learner, rounds=10),
            promotion=Promotion(min_roc_auc=0.0, max_log_loss_ratio=10.0, tolerance=1.0),
            fresh_within=timedelta(days=60),
        ),
    ),
    monitors=(MONITOR,),
)
TABLES_ONLY = replace(
    CATALOG, models=(), monitors=(replace(MONITOR, retrains=()),)
)  # nothing that a few days may not teach
