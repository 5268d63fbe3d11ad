using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>The master's state machine: registration, numbers, roster, placement. Soft state: racks register again.</summary>
internal sealed class MasterCore
{
    public MasterCore(MasterOptions options) => throw new NotSupportedException($"{options}");

    /// <summary>The roster as known.</summary>
    public RosterChanged Roster { get; } = new(0, ValueList<RosterEntry>.Empty);

    /// <summary>A message has arrived.</summary>
    public void Handle(IPoolProtocol message, long nowNs, IMasterEffects effects) => throw new NotSupportedException($"{message}{nowNs}{effects}");
}
