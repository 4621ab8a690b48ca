"""Where work on partitions runs: in this process, or on the executors of a cluster."""
