"""models: a model of each training set, judged before it is champion."""
