"""Members as scikit-learn estimators, and what stands on top of one."""
