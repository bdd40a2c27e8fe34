from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_links")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Grant",
            fields=[
                (
                    "code_hash",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                (
                    "session",
                    fields.ForeignKeyField(
                        "accounts.Session",
                        source_field="session_id",
                        db_constraint=True,
                        to_field="token_hash",
                        related_name="grants",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("client_id", fields.CharField(max_length=64)),
                ("redirect_uri", fields.CharField(max_length=2048)),
                ("scope", fields.CharField(max_length=64)),
                ("nonce", fields.CharField(max_length=512)),
                ("code_challenge", fields.CharField(max_length=43)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("token_hash", fields.CharField(null=True, unique=True, max_length=64)),
                ("revoked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "oidc_grants",
                "app": "accounts",
                "indexes": [Index(fields=["session_id"]), Index(fields=["created_at"])],
                "pk_attr": "code_hash",
                "table_description": "What one sign-in gave one application.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SigningKey",
            fields=[
                (
                    "kid",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                ("public", fields.TextField(unique=False)),
                ("sealed", fields.TextField(unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("retired_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "oidc_keys",
                "app": "accounts",
                "pk_attr": "kid",
                "table_description": "A key pair, whose private half is encrypted by a key derived from `SECRET_KEY`.",
            },
            bases=["Model"],
        ),
    ]
