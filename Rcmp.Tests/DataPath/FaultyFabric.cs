using System.Collections.Concurrent;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Tests.DataPath;

/// <summary>A fabric whose answers a test can spoil.</summary>
internal sealed class FaultyFabric(IFabric inner) : IFabric
{
    private int _connections;

    /// <summary>Replaces the status of a completion; the operation was carried out all the same.</summary>
    public Func<FabricStatus, FabricStatus> Spoil { get; set; } = static status => status;

    /// <summary>Whether connections can be opened.</summary>
    public bool IsReachable { get; set; } = true;

    /// <summary>Called at each attempt to connect: whether the other side is there.</summary>
    public Func<LinkRecord, bool>? Connecting { get; set; }

    /// <summary>How long each attempt to connect might have taken, in their order.</summary>
    public ConcurrentQueue<TimeSpan> ConnectTimeouts { get; } = [];

    public int Connections => Volatile.Read(ref _connections);

    public ConcurrentBag<ulong> Names { get; } = [];

    public IFabricServer Expose(Region region, FabricServerOptions options) => inner.Expose(region, options);

    public FabricConnectStatus TryConnect(
        LinkRecord link, ulong name, ConnectionRole role, TimeSpan timeout, out IFabricConnection? connection, out string? error)
    {
        ConnectTimeouts.Enqueue(timeout);
        if (!IsReachable || Connecting?.Invoke(link) == false)
        {
            (connection, error) = (null, "unplugged");
            return FabricConnectStatus.Unreachable;
        }

        var status = inner.TryConnect(link, name, role, timeout, out connection, out error);
        if (connection is not null)
        {
            Names.Add(name);
            Interlocked.Increment(ref _connections);
            connection = new Connection(this, connection);
        }

        return status;
    }

    private sealed class Connection(FaultyFabric fabric, IFabricConnection inner) : IFabricConnection
    {
        private bool _spoiled;

        public ulong Name => inner.Name;

        public bool IsUsable => inner.IsUsable && !_spoiled;

        public int Window => inner.Window;

        public bool TryPost(in FabricRequest request) => !_spoiled && inner.TryPost(request);

        public void Flush() => inner.Flush();

        public int Wait(Span<FabricCompletion> completions, long spinNs, long timeoutNs)
        {
            var count = inner.Wait(completions, spinNs, timeoutNs);
            foreach (ref var completion in completions[..count])
            {
                completion = completion with { Status = fabric.Spoil(completion.Status) };
                _spoiled |= completion.Status is FabricStatus.ConnectionLost or FabricStatus.DeadlinePassed;
            }

            return count;
        }

        public void Dispose() => inner.Dispose();
    }
}
