"""As much of opentelemetry-api as docs/mailers/observe.rst uses."""
