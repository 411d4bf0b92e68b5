-- An acknowledged record survives a crash, also where the cluster's default says otherwise.
do $$
begin
  execute format('alter database %I set synchronous_commit = on', current_database());
end
$$;
