"""CloudFormation: stacks, change sets, custom resources."""
