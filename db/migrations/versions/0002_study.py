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
        ('invitation', sa.Column('revoked_at', db.models.base.UtcDateTime(timezone=True), nullable=True)),
        ('reading', sa.Column('version', sa.Integer(), nullable=False, server_default='1')),
        ('reading', sa.Column('idle_seconds', sa.Double(), nullable=False, server_default='0')),
        ('reading', sa.Column('measures', sa.JSON(), nullable=False, server_default='{}')),
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
    op.create_table('study_member',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('study_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('part', sa.String(), nullable=False),
    sa.Column('added_at', db.models.base.UtcDateTime(timezone=True), nullable=False),
    sa.Column('removed_at', db.models.base.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['study_id'], ['study.id'], name=op.f('fk_study_member_study_id_study')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_study_member_account_id_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_study_member')),
    sa.UniqueConstraint('study_id', 'account_id', 'part', name=op.f('uq_study_member_study_id'))
    )
    op.create_table('study_desk',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('study_id', sa.Integer(), nullable=False),
    sa.Column('ask_profile', sa.Boolean(), nullable=False),
    sa.Column('consent_text', sa.String(), nullable=False),
    sa.Column('ethics_number', sa.String(), nullable=False),
    sa.Column('unblinded_at', db.models.base.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['study_id'], ['study.id'], name=op.f('fk_study_desk_study_id_study')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_study_desk')),
    sa.UniqueConstraint('study_id', name=op.f('uq_study_desk_study_id'))
    )
    op.create_table('reader_profile',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('study_reader_id', sa.Integer(), nullable=False),
    sa.Column('specialty', sa.String(), nullable=False),
    sa.Column('years', sa.Double(), nullable=False),
    sa.Column('ethics_number', sa.String(), nullable=False),
    sa.Column('consent_text', sa.String(), nullable=False),
    sa.Column('consented_at', db.models.base.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['study_reader_id'], ['study_reader.id'], name=op.f('fk_reader_profile_study_reader_id_study_reader')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reader_profile'))
    )
    op.create_index('ix_reader_profile_study_reader_id', 'reader_profile', ['study_reader_id'])
    op.create_table('rehearsal',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('study_id', sa.Integer(), nullable=False),
    sa.Column('source_id', sa.Integer(), nullable=False),
    sa.Column('settings', sa.JSON(), nullable=False),
    sa.Column('created_at', db.models.base.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['study_id'], ['study.id'], name=op.f('fk_rehearsal_study_id_study')),
    sa.ForeignKeyConstraint(['source_id'], ['study.id'], name=op.f('fk_rehearsal_source_id_study')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rehearsal')),
    sa.UniqueConstraint('study_id', name=op.f('uq_rehearsal_study_id'))
    )
    op.create_index('ix_rehearsal_source_id', 'rehearsal', ['source_id'])
    op.create_table('reference_answer',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('study_id', sa.Integer(), nullable=False),
    sa.Column('image_id', sa.Integer(), nullable=False),
    sa.Column('finding', sa.String(), nullable=False),
    sa.Column('present', sa.Boolean(), nullable=True),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('author', sa.String(), nullable=False),
    sa.Column('set_at', db.models.base.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['study_id'], ['study.id'], name=op.f('fk_reference_answer_study_id_study')),
    sa.ForeignKeyConstraint(['image_id'], ['image.id'], name=op.f('fk_reference_answer_image_id_image')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reference_answer'))
    )
    op.create_index('ix_reference_answer_study_id', 'reference_answer', ['study_id'])
    op.create_table('disputed_case',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('study_id', sa.Integer(), nullable=False),
    sa.Column('pair_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('original_side', sa.String(), nullable=False),
    sa.Column('token', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['study_id'], ['study.id'], name=op.f('fk_disputed_case_study_id_study')),
    sa.ForeignKeyConstraint(['pair_id'], ['pair.id'], name=op.f('fk_disputed_case_pair_id_pair')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_disputed_case')),
    sa.UniqueConstraint('study_id', 'pair_id', name=op.f('uq_disputed_case_study_id')),
    sa.UniqueConstraint('token', name=op.f('uq_disputed_case_token'))
    )
    op.create_table('adjudication',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('case_id', sa.Integer(), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('answers', sa.JSON(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('complete', sa.Boolean(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('decided_at', db.models.base.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['disputed_case.id'], name=op.f('fk_adjudication_case_id_disputed_case')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_adjudication_account_id_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_adjudication')),
    sa.UniqueConstraint('case_id', 'sequence', name=op.f('uq_adjudication_case_id'))
    )
    op.create_table('screen_check',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('study_reader_id', sa.Integer(), nullable=False),
    sa.Column('login_session_id', sa.Integer(), nullable=False),
    sa.Column('seen', sa.JSON(), nullable=False),
    sa.Column('screen', sa.JSON(), nullable=False),
    sa.Column('checked_at', db.models.base.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['study_reader_id'], ['study_reader.id'], name=op.f('fk_screen_check_study_reader_id_study_reader')),
    sa.ForeignKeyConstraint(['login_session_id'], ['login_session.id'], name=op.f('fk_screen_check_login_session_id_login_session')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_screen_check'))
    )
    op.create_index('ix_screen_check_study_reader_id', 'screen_check', ['study_reader_id'])
    op.create_table('viewing_event',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('trial_id', sa.Integer(), nullable=False),
    sa.Column('visit', sa.String(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('value', sa.JSON(), nullable=False),
    sa.Column('seconds', sa.Double(), nullable=False),
    sa.Column('logged_at', db.models.base.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['trial_id'], ['trial.id'], name=op.f('fk_viewing_event_trial_id_trial')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_viewing_event')),
    sa.UniqueConstraint('trial_id', 'visit', 'number', name=op.f('uq_viewing_event_trial_id'))
    )
    op.create_table('question_template',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('content', sa.JSON(), nullable=False),
    sa.Column('author', sa.String(), nullable=False),
    sa.Column('created_at', db.models.base.UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_question_template')),
    sa.UniqueConstraint('name', name=op.f('uq_question_template_name'))
    )
    op.create_table('elicitation_round',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('study_id', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('asked', sa.String(), nullable=False),
    sa.Column('pair_ids', sa.JSON(), nullable=False),
    sa.Column('checklist', sa.JSON(), nullable=False),
    sa.Column('digest', sa.String(), nullable=True),
    sa.Column('opened_at', db.models.base.UtcDateTime(timezone=True), nullable=False),
    sa.Column('done_at', db.models.base.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['study_id'], ['study.id'], name=op.f('fk_elicitation_round_study_id_study')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_elicitation_round')),
    sa.UniqueConstraint('study_id', name=op.f('uq_elicitation_round_study_id'))
    )
    op.create_table('elicitation_reader',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('round_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('label', sa.String(), nullable=False),
    sa.Column('token', sa.String(), nullable=False),
    sa.Column('invited_at', db.models.base.UtcDateTime(timezone=True), nullable=False),
    sa.Column('submitted_at', db.models.base.UtcDateTime(timezone=True), nullable=True),
    sa.Column('confirmed', sa.String(), nullable=True),
    sa.Column('objection', sa.String(), nullable=False),
    sa.Column('answered_at', db.models.base.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_elicitation_reader_account_id_account')),
    sa.ForeignKeyConstraint(['round_id'], ['elicitation_round.id'], name=op.f('fk_elicitation_reader_round_id_elicitation_round')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_elicitation_reader')),
    sa.UniqueConstraint('round_id', 'account_id', name=op.f('uq_elicitation_reader_round_id')),
    sa.UniqueConstraint('token', name=op.f('uq_elicitation_reader_token'))
    )
    op.create_table('proposal',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('reader_id', sa.Integer(), nullable=False),
    sa.Column('label', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('merged_into', sa.String(), nullable=True),
    sa.Column('proposed_at', db.models.base.UtcDateTime(timezone=True), nullable=False),
    sa.Column('withdrawn_at', db.models.base.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['reader_id'], ['elicitation_reader.id'], name=op.f('fk_proposal_reader_id_elicitation_reader')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_proposal'))
    )
    op.create_index('ix_proposal_reader_id', 'proposal', ['reader_id'])


def downgrade() -> None:
    op.drop_table('proposal')
    op.drop_table('elicitation_reader')
    op.drop_table('elicitation_round')
    op.drop_table('question_template')
    op.drop_table('viewing_event')
    op.drop_table('screen_check')
    op.drop_table('adjudication')
    op.drop_table('disputed_case')
    op.drop_table('reference_answer')
    op.drop_table('rehearsal')
    op.drop_table('reader_profile')
    op.drop_table('study_desk')
    op.drop_table('study_member')
    op.drop_table('excluded_pair')
    op.drop_table('study_version')
    op.drop_table('planned_trial')
    for table, column in reversed(columns()):
        op.drop_column(table, column.name)
