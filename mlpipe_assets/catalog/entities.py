"""The entities that features describe, each with the columns that identify it."""

from mlpipe_assets.catalog.declarations import Entity

customer = Entity(name="customer", join_keys=("customer_id",))
customer_channel = Entity(name="customer_channel", join_keys=("customer_id", "channel"))
