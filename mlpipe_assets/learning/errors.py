"""What can be wrong with a training set, a model file, or the rows a model is asked about."""

from mlpipe_assets.errors import MlpipeError


class LearningError(MlpipeError):
    """A training set nothing can be learnt from, or rows a model cannot answer for."""


class StoredModelError(MlpipeError):
    """A stored model is missing, was changed, or holds what a model of ours never holds."""
