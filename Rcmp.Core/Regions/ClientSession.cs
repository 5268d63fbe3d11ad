namespace Rcmp.Regions;

/// <summary>A client's side of its session record: the lock that says it lives, and its guard slots. Thread-safe.</summary>
internal sealed unsafe class ClientSession : IDisposable
{
    /// <summary>Locks the session file and registers this process for the barrier.</summary>
    /// <exception cref="PoolNotConnectedException">The daemon has given the session up meanwhile: ask for another.</exception>
    public static ClientSession Open(Region region, int index, SessionToken token, string lockPath, bool forceFence = false) => throw new NotSupportedException();

    /// <summary>A full fence goes between setting a guard and loading the location.</summary>
    public bool UsesFence => throw new NotSupportedException();

    public int Index => throw new NotSupportedException();

    public SessionToken Token => throw new NotSupportedException();

    /// <summary>The slots of this session.</summary>
    public GuardSlot* Slots => throw new NotSupportedException();

    /// <summary>A slot of one's own; false if all are taken (then wait for one: more threads than slots share).</summary>
    public bool TryAcquireSlot(out int index) => throw new NotSupportedException();

    /// <summary>Gives back a clear slot.</summary>
    public void ReleaseSlot(int index) => throw new NotSupportedException();

    /// <summary>Gives up a slot whose remote operation may still run: it comes back by itself once the daemon has cleared it.</summary>
    public void RetireSlot(int index) => throw new NotSupportedException();

    /// <summary>Gives up the lock: the daemon will find the session dead.</summary>
    public void Dispose() => throw new NotSupportedException();
}
