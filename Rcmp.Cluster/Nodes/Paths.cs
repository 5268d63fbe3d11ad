namespace Rcmp.Cluster.Nodes;

/// <summary>Names of our actors: part of the protocol between nodes.</summary>
internal static class Paths
{
    public const string Master = "rcmp-master";
    public const string MasterProxy = "rcmp-master-proxy";
    public const string Directory = "rcmp-directory";
    public const string Roster = "rcmp-roster";
    public const string Rack = "rcmp-rack";
    public const string Sessions = "rcmp-sessions";
    public const string Admin = "rcmp-admin";
    public const string Client = "rcmp-client";

    /// <summary>An actor of ours on another node.</summary>
    public static string On(string nodeAddress, string name) => $"{nodeAddress}/user/{name}";
}
