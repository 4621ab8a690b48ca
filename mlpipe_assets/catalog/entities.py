"""The entities that features describe, each with the column that identifies it."""

from mlpipe_assets.catalog.declarations import Entity

customer = Entity(name="customer", join_key="customer_id")
