"""The entities features describe."""

from mlpipe_assets.catalog.declarations import Entity

customer = Entity(name="customer", join_key="customer_id")
