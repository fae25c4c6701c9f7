"""CloudWatch: metrics, alarms, dashboards."""
