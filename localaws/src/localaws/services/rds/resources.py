"""The CloudFormation types of databases. None of them runs."""

from localaws.core.passive_type import PassiveType
from localaws.core.resource import Resource

RESOURCES: list[Resource] = [
    PassiveType(
        type="AWS::RDS::DBSubnetGroup",
        name="DBSubnetGroupName",
        ref="{name}",
        attribute_values={"DBSubnetGroupArn": "arn:aws:rds:{region}:{account}:subgrp:{ref}"},
    ),
    PassiveType(
        type="AWS::RDS::DBInstance",
        name="DBInstanceIdentifier",
        name_limit=63,
        ref="{name}",
        attribute_values={
            "DBInstanceArn": "arn:aws:rds:{region}:{account}:db:{ref}",
            "DbiResourceId": "db-{hex}",
            "Endpoint.Address": "{ref}.{hex}.{region}.rds.amazonaws.com",
            "Endpoint.Port": "5432",
            "MasterUserSecret.SecretArn": "arn:aws:secretsmanager:{region}:{account}:secret:rds!db-{hex}",
        },
    ),
]
