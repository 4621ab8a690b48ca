"""What is watched for drift, and when it asks for a new model."""

from mlpipe_assets.catalog.declarations import Monitor

orders = Monitor(table="interim/orders", retrains=("repeat_purchase",))
customer_features = Monitor(table="features/customer_features", retrains=("repeat_purchase",))
repeat_purchase = Monitor(table="predictions/repeat_purchase")

MONITORS = (orders, customer_features, repeat_purchase)
