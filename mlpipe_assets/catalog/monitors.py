"""What is watched for drift, and when it asks for a new model."""

from mlpipe_assets.catalog.declarations import Monitor

orders = Monitor(table="interim/orders", retrains=("repeat_purchase", "spend_28d", "next_channel"))
customer_features = Monitor(
    table="features/customer_features", retrains=("repeat_purchase", "spend_28d", "next_channel")
)
repeat_purchase = Monitor(table="predictions/repeat_purchase")
spend_28d = Monitor(table="predictions/spend_28d")
next_channel = Monitor(table="predictions/next_channel")

MONITORS = (orders, customer_features, repeat_purchase, spend_28d, next_channel)
