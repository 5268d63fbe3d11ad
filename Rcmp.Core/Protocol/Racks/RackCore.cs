using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>The rack's part of the protocol.</summary>
internal sealed partial class RackCore
{
    /// <summary>Raises the generation of the region, durably. Once per start of a daemon, before anything is served.</summary>
    public static Generation BeginGeneration(IRackStore store)
    {
        var next = store.State with { Generation = new Generation(store.State.Generation.Value + 1) };
        store.SaveState(next);
        return next.Generation;
    }

    public RackCore(IRackStore store, RackCoreOptions options, Func<ulong> random) => throw new NotSupportedException($"{store}{options}{random}");

    /// <summary>This rack in this generation; rack none before the first registration.</summary>
    public RackIncarnation Self { get; }

    /// <summary>All regions of the pool, as last heard.</summary>
    public RosterChanged Roster { get; } = new(0, ValueList<RosterEntry>.Empty);

    /// <summary>When <see cref="Tick"/> is due; <see cref="long.MaxValue"/> if never.</summary>
    public long NextDeadlineNs => throw new NotSupportedException();

    /// <summary>Rebuilds what the rows say. Once, before anything else.</summary>
    public void Start(long nowNs, IRackEffects effects) => throw new NotSupportedException($"{nowNs}{effects}");

    /// <summary>A message has arrived.</summary>
    public void Handle(IPoolProtocol message, long nowNs, IRackEffects effects) => throw new NotSupportedException($"{message}{nowNs}{effects}");

    /// <summary>Something has happened in this process.</summary>
    public void Handle(IRackEvent happened, long nowNs, IRackEffects effects) => throw new NotSupportedException($"{happened}{nowNs}{effects}");

    /// <summary>For <c>status</c>.</summary>
    public RackCoreStatus Status() => throw new NotSupportedException();
}
