"""the study's second schema: schedules, controls, versions"""

from alembic import op
import sqlalchemy as sa
import db.models.base


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


# Added by ALTER TABLE with a constant default and without foreign keys: SQLite then keeps the table as it is. A
# rebuilt table would have to drop the old one, and with it the readings that point to it.
def columns() -> tuple[tuple[str, sa.Column], ...]:
    return (
        ('study', sa.Column('flow', sa.JSON(), nullable=False, server_default='{}')),
        ('study', sa.Column('version', sa.Integer(), nullable=False, server_default='1')),
        ('pair', sa.Column('kind', sa.String(), nullable=False, server_default='counterfactual')),
        ('pair', sa.Column('truth', sa.JSON(), nullable=True)),
        ('study_reader', sa.Column('slot', sa.Integer(), nullable=True)),
        ('study_reader', sa.Column('replaces', sa.String(), nullable=True)),
        ('trial', sa.Column('purpose', sa.String(), nullable=False, server_default='counted')),
        ('trial', sa.Column('taken_over', sa.Boolean(), nullable=False, server_default=sa.false())),
        ('reading', sa.Column('version', sa.Integer(), nullable=False, server_default='1')),
    )


def upgrade() -> None:
    for table, column in columns():
        op.add_column(table, column)
    op.create_table('planned_trial',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('study_id', sa.Integer(), nullable=False),
    sa.Column('slot', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('pair_id', sa.Integer(), nullable=False),
    sa.Column('purpose', sa.String(), nullable=False),
    sa.Column('original_side', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['pair_id'], ['pair.id'], name=op.f('fk_planned_trial_pair_id_pair')),
    sa.ForeignKeyConstraint(['study_id'], ['study.id'], name=op.f('fk_planned_trial_study_id_study')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_planned_trial')),
    sa.UniqueConstraint('study_id', 'slot', 'position', name=op.f('uq_planned_trial_study_id'))
    )
    op.create_table('study_version',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('study_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('protocol', sa.JSON(), nullable=False),
    sa.Column('manifest', sa.JSON(), nullable=False),
    sa.Column('digest', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('author', sa.String(), nullable=False),
    sa.Column('locked_at', db.models.base.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['study_id'], ['study.id'], name=op.f('fk_study_version_study_id_study')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_study_version')),
    sa.UniqueConstraint('study_id', 'number', name=op.f('uq_study_version_study_id'))
    )
    op.create_table('excluded_pair',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('study_id', sa.Integer(), nullable=False),
    sa.Column('arm', sa.String(), nullable=False),
    sa.Column('image_id', sa.Integer(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('p_source', sa.Double(), nullable=False),
    sa.Column('p_reconstruction', sa.Double(), nullable=False),
    sa.Column('p_counterfactual', sa.Double(), nullable=False),
    sa.Column('ssim', sa.Double(), nullable=False),
    sa.Column('original_key', sa.String(), nullable=False),
    sa.Column('reconstruction_key', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['image_id'], ['image.id'], name=op.f('fk_excluded_pair_image_id_image')),
    sa.ForeignKeyConstraint(['study_id'], ['study.id'], name=op.f('fk_excluded_pair_study_id_study')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_excluded_pair'))
    )



def downgrade() -> None:
    op.drop_table('excluded_pair')
    op.drop_table('study_version')
    op.drop_table('planned_trial')
    for table, column in reversed(columns()):
        op.drop_column(table, column.name)
