"""The lab in a browser: one cluster, which the serving process has, and a lab in every tab."""
