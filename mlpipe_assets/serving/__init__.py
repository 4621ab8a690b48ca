"""serving: the newest features of each entity as online answers, and the champions that answer on them. Without Dagster."""
