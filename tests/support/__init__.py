"""Real parts that the tests run against, and fakes of the ones that no machine here can reach."""
