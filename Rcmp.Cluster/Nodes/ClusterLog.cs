using Microsoft.Extensions.Logging;

namespace Rcmp.Cluster.Nodes;

/// <summary>Log lines of the cluster; ids are stable.</summary>
internal static partial class ClusterLog
{
    [LoggerMessage(2000, LogLevel.Information, "Node {Address} is up with role {Role}; timing profile {Profile}.")]
    public static partial void NodeUp(ILogger log, string address, string role, string profile);

    [LoggerMessage(2001, LogLevel.Warning, "The actor system of {Address} has ended ({Reason}); starting another. Region, sessions and fabric go on.")]
    public static partial void SystemEnded(ILogger log, string address, string reason);

    [LoggerMessage(2002, LogLevel.Critical, "An invariant is broken, the node {Address} stops: {Message}")]
    public static partial void Fatal(ILogger log, string address, string message);

    [LoggerMessage(2003, LogLevel.Warning, "Cannot start the actor system of {Address}: {Message} Trying again.")]
    public static partial void RestartFailed(ILogger log, string address, string message);

    [LoggerMessage(2004, LogLevel.Error, "The master refuses the registration ({Problem}): {Why}")]
    public static partial void RegistrationRefused(ILogger log, string problem, string why);

    [LoggerMessage(2005, LogLevel.Information, "Directory shard {Shard} starts here, incarnation {Incarnation:x8}.")]
    public static partial void ShardStarted(ILogger log, int shard, uint incarnation);

    [LoggerMessage(2006, LogLevel.Information, "The master starts here.")]
    public static partial void MasterStarted(ILogger log);

    [LoggerMessage(2007, LogLevel.Warning, "The pool is in two clusters: {Seed} is in one of {Members} nodes (with a master: {HasMaster}), which stays. Joining it.")]
    public static partial void OtherCluster(ILogger log, string seed, int members, bool hasMaster);

    [LoggerMessage(2008, LogLevel.Information, "Session {Session} attached again from {Client}.")]
    public static partial void SessionAttached(ILogger log, SessionToken session, string client);

    [LoggerMessage(2009, LogLevel.Information, "A client got no session: {Why}")]
    public static partial void SessionRefused(ILogger log, string why);

    [LoggerMessage(2010, LogLevel.Warning, "The rack's daemon at {Rack} does not answer; resolved pages can still be used.")]
    public static partial void ClientDisconnected(ILogger log, string rack);

    [LoggerMessage(2011, LogLevel.Information, "Connected to the rack's daemon at {Rack}, session {Session}.")]
    public static partial void ClientConnected(ILogger log, string rack, SessionToken session);

    [LoggerMessage(2012, LogLevel.Warning, "Node {Address} does not answer.")]
    public static partial void MemberUnreachable(ILogger log, string address);

    [LoggerMessage(2013, LogLevel.Information, "Node {Address} answers again.")]
    public static partial void MemberReachable(ILogger log, string address);

    [LoggerMessage(2014, LogLevel.Information, "Node {Address} is now {Status}.")]
    public static partial void MemberChanged(ILogger log, string address, string status);
}
