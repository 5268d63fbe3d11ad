using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>A thread's own guard slot in one client's session. Reached from thread statics alone, so that it dies with its thread.</summary>
internal sealed unsafe class ThreadGuard(PoolClient client, GuardSlot* slot)
{
    public readonly PoolClient Client = client;
    public readonly GuardSlot* Slot = slot;
}
