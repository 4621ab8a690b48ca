"""What each task does with labels and answers: one module a task, which stages and monitoring reach through `registry`."""
